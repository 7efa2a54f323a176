/** The parts of the OpenAPI document, by name. */
import {
  backupListSchema,
  backupSchema,
  capacitySchema,
  guestListSchema,
  guestSchema,
  operationListSchema,
  operationSchema,
  planListSchema,
  problemSchema,
  signInSchema,
  takenOrderSchema,
  usageSchema,
} from './answers.ts';
import {
  changePlanRequestSchema,
  emptyRequestSchema,
  hostnameRequestSchema,
  keysRequestSchema,
  oneBackupRequestSchema,
  orderRequestSchema,
  passwordRequestSchema,
  reinstallRequestSchema,
  resizeRequestSchema,
  restoreRequestSchema,
  signInRequestSchema,
  terminateRequestSchema,
} from './requests.ts';

/** What the OpenAPI document calls each. */
export const COMPONENTS = {
  Order: orderRequestSchema,
  Guest: guestSchema,
  GuestList: guestListSchema,
  TakenOrder: takenOrderSchema,
  Operation: operationSchema,
  OperationList: operationListSchema,
  Terminate: terminateRequestSchema,
  OneBackup: oneBackupRequestSchema,
  Restore: restoreRequestSchema,
  Resize: resizeRequestSchema,
  Password: passwordRequestSchema,
  Keys: keysRequestSchema,
  Hostname: hostnameRequestSchema,
  Reinstall: reinstallRequestSchema,
  ChangePlan: changePlanRequestSchema,
  Empty: emptyRequestSchema,
  SignInRequest: signInRequestSchema,
  SignIn: signInSchema,
  Backup: backupSchema,
  BackupList: backupListSchema,
  Usage: usageSchema,
  PlanList: planListSchema,
  Capacity: capacitySchema,
  Problem: problemSchema,
} as const;

export type Component = keyof typeof COMPONENTS;

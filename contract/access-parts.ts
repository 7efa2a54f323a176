/** The parts of a guest's access, each of which is changed by itself. */
export const ACCESS_PARTS = ['password', 'keys'] as const;

export type AccessPart = (typeof ACCESS_PARTS)[number];

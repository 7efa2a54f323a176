/** What of a guest's own system guestflow changes from outside, each by itself: who may log in to it as root, and the name that it has. */
export const ACCESS_PARTS = ['password', 'keys', 'hostname'] as const;

export type AccessPart = (typeof ACCESS_PARTS)[number];

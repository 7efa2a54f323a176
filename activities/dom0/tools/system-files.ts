/** Single files and directories of a guest's system: of one that is off (`offline-system.ts`), or of one that runs (`guests/access/live-system.ts`). */

/** Permissions and owner. */
export interface FileAttributes {
  /** Permissions, without the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A file, as far as it is kept. */
export interface FileContent extends FileAttributes {
  readonly bytes: Buffer;
}

/** What is, was, or is to be at a path; undefined: nothing. */
export type PathState =
  | { readonly path: string; readonly is: 'file'; readonly has: FileContent | undefined }
  | { readonly path: string; readonly is: 'directory'; readonly has: FileAttributes | undefined };

/** Whatever a tenant may have made of them: no link is followed on the way. */
export interface SystemFiles {
  /**
   * The file; undefined: there is none, or no directory for it.
   *
   * @throws InvalidInput when it, or a directory on the way to it, is something else than a system has there; or when it is larger than any
   */
  read(path: string): Promise<FileContent | undefined>;
  /** Makes the file what is given, or removes it. Its directory must be there. @throws ToolFailed when it is not so afterwards */
  replace(path: string, content: FileContent | undefined): Promise<void>;
  /** The directory; undefined: there is none. @throws InvalidInput as `read` does */
  directory(path: string): Promise<FileAttributes | undefined>;
  /** Makes the directory, or gives it these permissions and this owner; or removes it, if it is empty. The one that it is in must be there. */
  setDirectory(path: string, wanted: FileAttributes | undefined): Promise<void>;
}

/** What is at the path now. */
export async function stateAt(files: SystemFiles, { path, is }: Pick<PathState, 'path' | 'is'>): Promise<PathState> {
  return is === 'file' ? { path, is, has: await files.read(path) } : { path, is, has: await files.directory(path) };
}

/** Makes it so. */
export async function make(files: SystemFiles, state: PathState): Promise<void> {
  if (state.is === 'file') await files.replace(state.path, state.has);
  else await files.setDirectory(state.path, state.has);
}

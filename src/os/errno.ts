/** Error numbers of Linux by name (the same on every architecture that Node runs on) and what libc says about them. */
import { native } from "./ffi/native.ts";

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOSPC = 28;
export const EPIPE = 32;
export const ENAMETOOLONG = 36;
export const ELOOP = 40;
export const ENOSYS = 38;
export const ENODATA = 61;
export const ETIME = 62;
export const EMSGSIZE = 90;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTUNREACH = 113;
export const EINPROGRESS = 115;
export const ECANCELED = 125;

const strerror = native<(errno: number) => string>("const char *strerror(int errnum)");

/** The C library's text, `Address already in use`. */
export function errorText(errno: number): string {
  return strerror(errno);
}

/** nginx's form, `(98: Address already in use)`. */
export function printErrno(errno: number): string {
  return `(${errno}: ${errorText(errno)})`;
}

/** A failed system call: which one, on what, and why. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly errno: number;
  readonly call: string;

  constructor(call: string, errno: number, subject: string) {
    super(`${call}${subject === "" ? "" : ` ${subject}`} failed ${printErrno(errno)}`);
    this.call = call;
    this.errno = errno;
  }
}

/** An error to throw for a failed call; the message reads `bind() 0.0.0.0:80 failed (13: Permission denied)`. */
export function systemError(call: string, errno: number, subject = ""): SystemError {
  return new SystemError(`${call}()`, errno, subject);
}

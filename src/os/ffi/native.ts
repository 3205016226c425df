/**
 * Calls into the C functions that the node binary carries (libc, libuv, OpenSSL, zlib, …). The only importer of koffi:
 * a move to `node:ffi` happens here. One file beside this one per family of system calls declares the prototypes.
 *
 * A call costs 30–65 ns. Pass addresses as `uint64_t` numbers on hot paths (a pointer argument costs more), sizes as
 * `size_t`, and declare `ssize_t` results as `long`: koffi has no `ssize_t`.
 */
import koffi from "koffi";

/** The running program itself, so that glibc, musl and distribution builds of node work alike. */
const program = koffi.load(null);

/** A C function by its prototype, `int listen(int fd, int backlog)`. Throws when the program has no such symbol. */
// biome-ignore lint/suspicious/noExplicitAny: the caller states the type that its prototype implies
export function native<F extends (...args: any[]) => unknown>(prototype: string): F {
  return program.func(prototype) as unknown as F;
}

/** C functions by their prototypes. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type NativeFunctions = <F extends (...args: any[]) => unknown>(prototype: string) => F;

/** The functions of one of the system's shared libraries, for what the program does not carry; undefined when it is not there. */
export function systemLibrary(name: string): NativeFunctions | undefined {
  try {
    const library = koffi.load(name);
    return (prototype) => library.func(prototype) as never;
  } catch {
    return undefined;
  }
}

/** A C function without parameters that returns a structure, whose members have these names and types. */
export function nativeStruct<T extends string>(
  name: string,
  members: Readonly<Record<T, string>>,
): () => Record<T, number> {
  // Without a name: koffi's are global, and a test may have loaded this file beside the program's own copy.
  return program.func(name, koffi.struct({ ...members }), []) as unknown as () => Record<T, number>;
}

/** True when the program exports this symbol. */
export function hasNative(name: string): boolean {
  try {
    program.symbol(name, "int");
    return true;
  } catch {
    return false;
  }
}

/** errno of the last failed call on this thread. Read it at once. */
export function errno(): number {
  return koffi.errno();
}

/** Where these bytes live. Valid as long as the bytes are reachable, if they are not on the JavaScript heap. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes));
}

/** Bytes of memory that C owns: `sizeBytes` from `address`. Unmapping it while the view is used is a crash. */
export function bytesAt(address: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(koffi.view(BigInt(address), sizeBytes));
}

/** A function that C may call, for a parameter of the type that `prototype` names (`void on_event(int n)`). It lives for ever. */
export function callback<F extends (...args: never[]) => unknown>(prototype: string, f: F): unknown {
  return koffi.register(f, koffi.pointer(koffi.proto(prototype)));
}

/** A watched descriptor. */
export interface FdWatch {
  /** Close this before the descriptor: the other way round aborts the process. */
  close(): void;
}

/** Calls back through libuv when `fd` is readable (level-triggered). The watch keeps the process alive. */
export function watchReadable(fd: number, onReadable: () => void): FdWatch {
  return watch(fd, { readable: true }, onReadable);
}

/** The same for "writable": for a connect that is on its way. */
export function watchWritable(fd: number, onWritable: () => void): FdWatch {
  return watch(fd, { writable: true }, onWritable);
}

function watch(fd: number, what: { readonly readable?: true; readonly writable?: true }, onReady: () => void): FdWatch {
  return koffi.node.poll(fd, what, () => {
    try {
      onReady();
    } catch (error) {
      // koffi would keep the exception to itself until some later call: it must reach "uncaughtException" now.
      setImmediate(() => {
        throw error;
      });
    }
  });
}

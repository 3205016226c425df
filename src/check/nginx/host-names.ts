/** Names of servers as nginx keeps them. */

/** `.example.org` is two names: itself and everything below it. */
export function translatedNames(name: string): readonly string[] {
  return name.startsWith(".") ? [name.slice(1), `*${name}`] : [name];
}

/**
 * Words of a keepalived.conf line. An ordinary line knows only double quotes, without escapes; a script line has a
 * second pass with both quotes and C-like escapes (`\n`, `\x41`, `\101`, `\cA`).
 */

/** What separates words: C's isspace(), not Unicode's, so that a no-break space is part of a word as in keepalived. */
const BLANK = /[ \t\n\v\f\r]/;

/** The text without blanks at its ends. */
export function trimBlanks(text: string): string {
  return text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
}

/** Words of an ordinary line, or undefined when a quote is not closed. A quote also begins a new word. */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (at < text.length && BLANK.test(text.charAt(at))) at++;
    if (at >= text.length) return words;
    if (text.charAt(at) === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0) return undefined;
      words.push(text.slice(at + 1, end));
      at = end + 1;
    } else {
      let end = at;
      while (end < text.length && text.charAt(end) !== '"' && !BLANK.test(text.charAt(end))) end++;
      words.push(text.slice(at, end));
      at = end;
    }
  }
}

/** Words of a script line, quotes and escapes resolved, or undefined when a quote is not closed. */
export function splitCommand(text: string): string[] | undefined {
  const words: string[] = [];
  let word = "";
  let inWord = false;
  let quote = "";
  for (let at = 0; at < text.length; ) {
    const character = text.charAt(at);
    if (character === "\\" && at + 1 < text.length) {
      const [value, length] = resolveEscape(text, at + 1);
      word += value;
      inWord = true;
      at += 1 + length;
      continue;
    }
    at++;
    if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      inWord = true;
    } else if (BLANK.test(character)) {
      if (inWord) words.push(word);
      word = "";
      inWord = false;
    } else {
      word += character;
      inWord = true;
    }
  }
  if (quote !== "") return undefined;
  if (inWord) words.push(word);
  return words;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const HEX = /^x([0-9a-fA-F]{1,2})/;
const OCTAL = /^[0-3]?[0-7]{1,2}/;

/** The character that the escape behind a backslash stands for, and how many characters the escape has. */
function resolveEscape(text: string, at: number): [string, number] {
  const character = text.charAt(at);
  const rest = text.slice(at, at + 3);
  const hex = HEX.exec(rest);
  if (hex !== null) return [String.fromCharCode(Number.parseInt(hex[1] as string, 16)), hex[0].length];
  const octal = OCTAL.exec(rest);
  if (octal !== null) return [String.fromCharCode(Number.parseInt(octal[0], 8)), octal[0].length];
  if (character === "c" && at + 1 < text.length) return [String.fromCharCode(text.charCodeAt(at + 1) & 0x1f), 2];
  return [SIMPLE_ESCAPES[character] ?? character, 1];
}

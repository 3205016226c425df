/** FastCGI 1.0 §3.4: name-value pairs, both lengths first. */
import { writeLatin1 } from "../../base/bytes.ts";
import type { PairForm } from "../pairs.ts";
import { lengthBytes, writeLength } from "./record.ts";

export const fastcgiPair: PairForm = {
  sizeOf: (nameLength, valueLength) => lengthBytes(nameLength) + nameLength + lengthBytes(valueLength) + valueLength,
  write(bytes, at, name, value) {
    const texts = writeLength(bytes, writeLength(bytes, at, name.length), value.length);
    return writeLatin1(bytes, value, writeLatin1(bytes, name, texts));
  },
};

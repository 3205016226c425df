/** `node echo-back-end.js PORT`: accepts WebSocket handshakes and sends back every byte that follows, frames unread. */
import { writeLatin1 } from "../../src/base/bytes.ts";
import { allocateMemory } from "../../src/os/memory.ts";
import { LoadLoop } from "./loop.ts";

const loop = new LoadLoop();
const answer = allocateMemory(4096);
const answerBytes = writeLatin1(
  answer.bytes,
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
  0,
);

loop.listen(Number(process.argv[2]), () => {
  let isOpen = false;
  return (fd) => {
    const count = loop.receive(fd);
    if (count <= 0) loop.close(fd);
    else if (isOpen) loop.send(fd, loop.input.address, count);
    else {
      // A proxy sends a request of this size in one piece.
      isOpen = true;
      loop.send(fd, answer.address, answerBytes);
    }
  };
});
loop.run(() => false);

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';

/** A UDP socket on loopback that a test plays a server with. */
export interface UdpPeer {
  readonly port: number;
  readonly socket: Socket;
  close(): void;
}

/** Listens on a free port; `answer` is called with each datagram. */
export async function udpPeer(
  answer: (bytes: Uint8Array, from: RemoteInfo, socket: Socket) => void,
  address: '127.0.0.1' | '::1' = '127.0.0.1',
): Promise<UdpPeer> {
  const socket = createSocket(address === '::1' ? 'udp6' : 'udp4');
  socket.on('message', (bytes, from) => answer(bytes, from, socket));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, address, resolve);
  });
  return { port: socket.address().port, socket, close: () => socket.close() };
}

import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { KeyEstablishment, NtsKeys } from '../core/contracts/index.js';
import { KEY_LABEL, KEY_LENGTH, KeyAnswerReader, keyContext, keyRequest, NTS_KE_PROTOCOL } from '../core/ntp/nts-ke.js';

/** From the first packet to the last, seconds. */
const PATIENCE = 8;
const NTP_PORT = 123;

/**
 * NTS key establishment (RFC 8915, section 4) over TLS 1.3. The server's certificate has to be good for its name, by the
 * certificate authorities that Node brings, or by those of `ca` alone. Rejects with a message for people.
 */
export function establishKeys({ host, port, ca, servername }: KeyEstablishment): Promise<NtsKeys> {
  return new Promise((resolve, reject) => {
    const name = servername ?? host;
    const socket = connect({
      host,
      port,
      ALPNProtocols: [NTS_KE_PROTOCOL],
      minVersion: 'TLSv1.3',
      ...(isIP(name) === 0 && { servername: name }),
      ...(ca !== undefined && { ca: [ca] }),
    });
    const reader = new KeyAnswerReader();
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`${host} port ${port}: ${reasonOf(error)}`));
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${PATIENCE} s`)), PATIENCE * 1000);
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('it closed the connection without an answer')));
    socket.on('secureConnect', () => {
      if (socket.alpnProtocol !== NTS_KE_PROTOCOL) return fail(new Error(`it does not speak ${NTS_KE_PROTOCOL}`));
      socket.write(keyRequest());
    });
    socket.on('data', bytes => {
      try {
        const answer = reader.push(bytes);
        if (answer === undefined) return;
        const server = { host: answer.host ?? socket.remoteAddress ?? host, port: answer.port ?? NTP_PORT };
        const keys = { c2s: exported(socket, 'c2s'), s2c: exported(socket, 's2c'), cookies: answer.cookies, server };
        clearTimeout(timer);
        resolve(keys);
        socket.end();
        socket.destroySoon();
      } catch (error) {
        fail(error);
      }
    });
  });
}

const exported = (socket: TLSSocket, direction: 'c2s' | 's2c'): Uint8Array =>
  Uint8Array.from(socket.exportKeyingMaterial(KEY_LENGTH, KEY_LABEL, Buffer.from(keyContext(direction))));

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'it has no address',
  EAI_AGAIN: 'no name server answers',
  ECONNRESET: 'it closed the connection',
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority that is not trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired, by our clock',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet, by our clock',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: `it does not speak ${NTS_KE_PROTOCOL}`,
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it does not speak TLS 1.3',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it does not speak TLS 1.3',
};

function reasonOf(error: unknown): string {
  // Of a name with several addresses, each of which failed, the first says enough.
  const first: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  if (!(first instanceof Error)) return String(first);
  const code = 'code' in first ? String(first.code) : undefined;
  const reason = code === undefined ? undefined : REASONS[code];
  return reason === undefined ? first.message : `${reason} (${code})`;
}

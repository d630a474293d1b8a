import { z } from 'zod';
import type { Reply, ServerBehaviour, ServerSide } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** Answers every question with what it believes. */
@plugin({ kind: 'server', name: 'honest', summary: 'Answers every question with what it believes', options: Options })
export class HonestServer implements ServerBehaviour {
  answer(question: Uint8Array, _asker: string, at: number, server: ServerSide): readonly Reply[] {
    const bytes = server.respond(question, at);
    return bytes === undefined ? [] : [{ bytes, after: server.processing }];
  }
}

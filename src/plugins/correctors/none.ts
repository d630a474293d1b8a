import { z } from 'zod';
import type { Corrector } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** Corrects nothing: the predictor alone has the word (model only). */
@plugin({ kind: 'corrector', name: 'none', summary: 'The predictor alone', options: Options })
export class NoCorrector implements Corrector {
  correct(): undefined {
    return undefined;
  }
}

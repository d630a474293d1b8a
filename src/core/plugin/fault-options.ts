import { z } from 'zod';

/** Options that faults share: which packets, which servers, which predictors. */
export const ServersOption = z
  .array(z.string())
  .min(1)
  .optional()
  .meta({ description: 'Which servers; left out: all.' });

export const PacketOptions = {
  servers: ServersOption,
  directions: z
    .array(z.enum(['out', 'back']))
    .min(1)
    .optional()
    .meta({ description: 'Which way: `out`, to the server, or `back`; left out: both.' }),
};

export const PredictorOptions = {
  pipelines: z.array(z.string()).min(1).optional().meta({ description: 'Of which pipelines; left out: all.' }),
  predictor: z
    .string()
    .optional()
    .meta({ description: "Name of the predictor inside it, e.g. within a fallback; left out: the pipeline's own." }),
};

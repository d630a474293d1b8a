import { z } from 'zod';
import { DROPS } from '../contracts/index.js';

/** What sinks that serve the time say, and (with their descriptions) what an OpenAPI document says of that. */

const seconds = (description: string) => z.number().meta({ description: `${description} Seconds.` });
const instant = (description: string) =>
  z
    .string()
    .meta({ description: `${description} RFC 3339, UTC, nanoseconds.`, examples: ['2026-11-25T00:10:00.123456789Z'] });
const unix = z.number().meta({ description: 'Unix time. Seconds.' });

export const TimeDocument = z
  .object({
    time: instant('The corrected time.'),
    unix: z
      .object({ seconds: z.int(), nanoseconds: z.int().min(0).max(999_999_999) })
      .meta({ description: 'The same as Unix time.' }),
    earliest: instant(
      'True time is not before this, whatever the asymmetry of the paths; null while unknown.',
    ).nullable(),
    latest: instant('True time is not after this; null while unknown.').nullable(),
    maxError: seconds('Half of the way from earliest to latest; null while unknown.').nullable(),
    uncertainty: seconds('Half-width of the statistical interval about `time`; null while unknown.').nullable(),
    level: z.number().meta({ description: 'Probability of that interval.' }),
    offset: seconds('What to add to this machine’s wall clock: positive, it is behind.'),
    drift: z
      .number()
      .nullable()
      .meta({ description: 'How much the clock that the pipeline estimates loses. Seconds per second.' }),
    driftDeviation: z.number().nullable().meta({ description: 'One standard deviation of `drift`.' }),
    source: z
      .string()
      .meta({ description: 'Whose answer this is: the name of a corrector or predictor, or bare-clock.' }),
    driftSource: z.string().nullable().meta({ description: 'Where the drift comes from.' }),
    age: seconds('Since the last measurement that was applied; null before the first.').nullable(),
    axis: z.enum(['counter', 'wall']).meta({ description: 'Which of the two clocks the pipeline estimates.' }),
    pipeline: z.string(),
    synchronised: z.boolean().meta({ description: 'False while the bare wall clock is told, with unknown bounds.' }),
  })
  .meta({ id: 'Time', description: 'A corrected time with its bounds.' });
export type TimeDocument = z.infer<typeof TimeDocument>;

const PHASES = ['starting', 'synchronised', 'holdover'] as const;
const phase = z.enum(PHASES).meta({
  description:
    'starting: nothing is known yet. synchronised: the last round brought measurements. holdover: it brought none, and bounds grow.',
});

const STANDINGS = ['selected', 'combined', 'rejected', 'falseticker', 'unreachable', 'unheard'] as const;
const standing = z.enum(STANDINGS).meta({
  description:
    'selected: used alone. combined: used with others. rejected: not used this time. falseticker: contradicts the majority. unreachable: the last eight questions had no usable answer. unheard: no round has closed yet.',
});
export type Standing = z.infer<typeof standing>;

const PipelineStatus = z
  .object({
    name: z.string(),
    phase,
    now: TimeDocument,
    estimateAge: seconds('Since the instant that the estimate in force was made for.').nullable(),
    maxErrorRate: z.number().nullable().meta({ description: 'How fast `maxError` grows. Seconds per second.' }),
    rounds: z.int().meta({ description: 'Rounds of questions so far.' }),
    applied: z.int().meta({ description: 'Rounds of which a measurement was applied.' }),
  })
  .meta({ id: 'Pipeline', description: 'What a pipeline tells, and from what.' });
export type PipelineStatus = z.infer<typeof PipelineStatus>;

const SourceStatus = z
  .object({
    name: z.string(),
    group: z.string().meta({ description: 'Name of the source in the scenario.' }),
    address: z.string().meta({ description: 'HOST[:PORT], or the name of a simulated server.' }),
    standing,
    reason: z.string().meta({ description: 'Why, for people.' }),
    verdicts: z
      .record(
        z.string(),
        z.object({ standing, reason: z.string(), used: z.int().meta({ description: 'How often it was used.' }) }),
      )
      .meta({ description: 'What each pipeline thinks; `standing` and `reason` are the first one’s.' }),
    offset: seconds('By its last answer, what to add to the wall clock.').nullable(),
    delay: seconds('Round trip of its last answer.').nullable(),
    jitter: seconds('RMS of the last offsets’ differences from the newest (RFC 5905).').nullable(),
    rootDistance: seconds('Root distance (RFC 5905): the most that its last offset can be wrong by.').nullable(),
    reach: z.int().min(0).max(255).meta({ description: 'The last eight questions as bits, the newest in bit 0.' }),
    poll: seconds('Between the last two questions.').nullable(),
    stratum: z.int().nullable(),
    leap: z.int().nullable(),
    referenceId: z.string().nullable(),
    asked: z.int(),
    answered: z.int(),
    failed: z.int(),
    dropped: z.record(z.enum(DROPS), z.int()).meta({
      description:
        'Datagrams that came to its questions and were dropped, by reason. wrongOrigin: late, replayed or forged. unauthenticated: without the proof that it owes. forged: with a wrong one.',
    }),
    lastAnswerAge: seconds('Since its last answer.').nullable(),
    lastFailure: z.object({ reason: z.string(), age: seconds('Since then.') }).nullable(),
  })
  .meta({ id: 'Source', description: 'A server and how it does.' });
export type SourceStatus = z.infer<typeof SourceStatus>;

export const EventEntry = z
  .object({
    id: z.int(),
    time: instant('When, by the first pipeline.'),
    uptime: seconds('Since the start of the run.'),
    part: z.string().meta({ description: 'Which part of the run says so.' }),
    what: z.string(),
  })
  .meta({ id: 'Event', description: 'Something that people should know of.' });
export type EventEntry = z.infer<typeof EventEntry>;

export const StatusDocument = z
  .object({
    id: z.int().meta({ description: 'Grows with everything that happens.' }),
    service: z.object({
      name: z.string(),
      description: z.string(),
      world: z.enum(['simulated', 'replayed', 'real']),
      clock: z.string().nullable().meta({ description: 'What a real clock is read through.' }),
      reference: z.enum(['truth', 'ntp']).meta({ description: 'What errors are told against at the end of the run.' }),
      started: instant('When the run began, by this machine’s clock.'),
      uptime: seconds('Since then.'),
      phase,
    }),
    exchanges: z.object({ answered: z.int(), failed: z.int() }),
    pipelines: z.array(PipelineStatus),
    sources: z.array(SourceStatus),
    events: z.array(EventEntry).meta({ description: 'The last ones, the oldest first.' }),
  })
  .meta({ id: 'Status', description: 'All that a dashboard shows.' });
export type StatusDocument = z.infer<typeof StatusDocument>;

export const HistoryDocument = z
  .object({
    capacity: z.int().meta({ description: 'How many points of each are kept.' }),
    pipelines: z
      .record(
        z.string(),
        z.array(
          z.object({
            unix,
            offset: seconds('What to add to the wall clock.'),
            uncertainty: seconds('Half-width of the interval.'),
            maxError: seconds('Maximum error.'),
            drift: z.number(),
            driftDeviation: z.number(),
          }),
        ),
      )
      .meta({ description: 'By pipeline, one point a round, the oldest first.' }),
    sources: z
      .record(
        z.string(),
        z.array(
          z.object({
            unix,
            offset: seconds('By this answer, what to add to the wall clock.'),
            delay: seconds('Round trip.'),
            used: z.boolean().meta({ description: 'By the first pipeline.' }),
          }),
        ),
      )
      .meta({ description: 'By source, one point an answer, the oldest first.' }),
  })
  .meta({ id: 'History', description: 'Offsets and drift over time.' });
export type HistoryDocument = z.infer<typeof HistoryDocument>;

/** What of a status board outlives its process. */
export const BoardState = z.strictObject({
  id: z.int().min(0),
  events: z.array(EventEntry),
  pipelines: HistoryDocument.shape.pipelines,
  sources: HistoryDocument.shape.sources,
});
export type BoardState = z.infer<typeof BoardState>;

export const HealthDocument = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    reason: z.string(),
    maxError: seconds('Of the first pipeline; null while unknown.').nullable(),
  })
  .meta({ id: 'Health' });

export const ErrorDocument = z
  .object({ statusCode: z.int(), error: z.string(), message: z.string() })
  .meta({ id: 'Error', description: 'What is wrong with the question.' });

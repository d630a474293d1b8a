import type { ModelCard } from '../models/card.js';

/** Values in row-major order with their dimensions, the batch's (1) among them where the card's layout has one. */
export interface Tensor {
  readonly data: TensorData;
  readonly dims: readonly number[];
}

export type TensorData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;
export type Tensors = Readonly<Record<string, Tensor>>;

/** What a model has not answered, and why not. */
export interface ModelCounts {
  asked: number;
  /** Later than the time limit. */
  late: number;
  /** Pushed out of a full queue by newer questions. */
  dropped: number;
}

/** What has become of a predictor's questions to its model so far. */
export interface ModelUse {
  readonly model: string;
  readonly asked: number;
  /** Answers that came too late to be told. */
  readonly late: number;
  /** Answers that were not believed and questions that were not put: how many, by why. */
  readonly dropped: Readonly<Record<string, number>>;
  /** How often it was the model's word that was told, and how often another's, by why. */
  readonly told?: Readonly<Record<string, number>>;
}

/** A model that has been loaded and agrees with its card. */
export interface OpenModel {
  readonly card: ModelCard;
  /** Where it runs, for people. */
  readonly where: string;
  readonly counts: Readonly<ModelCounts>;
  /**
   * One question: every input that the card names, with a batch of one. The promise gives the outputs that the card
   * names, or undefined where the answer is late or another question took its place; it rejects where the model fails.
   */
  run(inputs: Tensors): Promise<Tensors | undefined>;
}

/**
 * A plugin of kind `model`: runs a trained model that has a card. Predictors that use one make it through their
 * `PluginFactory`.
 *
 * What an implementer owes: `open` rejects with one message that names the file and what differs from the card; a
 * session is shared by all who open the same file; a run that takes long does not block the thread that measures.
 */
export interface Model {
  open(): Promise<OpenModel>;
}

import type { RandomStream, SourceEvent } from '../contracts/index.js';
import type { PluginChoice, PluginKind, PluginKinds } from './registry.js';

/** What a plugin may inject besides `PluginOptions` and `World`. */

/** Random streams of the plugin's own part: `@inject(Streams) streams: Streams`, then `streams('white-fm')`, once. */
export type Streams = (name: string) => RandomStream;
export const Streams = Symbol.for('escapement.Streams');

/** The name of the part in the scenario that the plugin stands for, e.g. a source's. */
export const PartName = Symbol.for('escapement.PartName');

/**
 * Makes the plugins that stand in another plugin's options. Give each a name where there may be several of a kind: it
 * names their random streams.
 */
export type PluginFactory = <K extends PluginKind>(kind: K, choice: PluginChoice, name?: string) => PluginKinds[K];
export const PluginFactory = Symbol.for('escapement.PluginFactory');

/** Names of the world's servers; empty in the real world. */
export const ServerNames = Symbol.for('escapement.ServerNames');

/** Says what people should know of: a step detected, a fallback taken. Goes to the sinks' `event`. */
export type Report = (what: string) => void;
export const Report = Symbol.for('escapement.Report');

/** The folder for files that sinks write; undefined where none was asked for. */
export const OutputFolder = Symbol.for('escapement.OutputFolder');

/** The folder that relative paths in a scenario start from: the scenario file's own. */
export const InputFolder = Symbol.for('escapement.InputFolder');

/** A recording played back by its world: hands on each event when its time has come, and nothing that is no input. */
export interface Playback {
  readonly servers: readonly string[];
  /** Calls `next` for every event of this group; of all groups where the recording has none of that name. */
  listen(group: string, next: (event: SourceEvent) => void): void;
  /** How many questions of this group (or of all) are open after the event that is being handed on. */
  outstanding(group: string): number;
}
export const Playback = Symbol.for('escapement.Playback');

import 'reflect-metadata';
import { Container } from 'inversify';
import type { Sink } from '../core/contracts/index.js';
import { makePlugin } from '../core/plugin/registry.js';
import { OutputFolder } from '../core/plugin/tokens.js';

/** A sink that the command line asks for, outside any scenario. */
export function makeSink(
  use: string,
  folder: string | undefined,
  options: Readonly<Record<string, unknown>> = {},
): Sink {
  const scope = new Container();
  scope.bind(OutputFolder).toConstantValue(folder);
  return makePlugin('sink', { use, ...options }, use, scope);
}

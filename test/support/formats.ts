import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Container } from 'inversify';
import {
  type Exchange,
  type ExchangeFailure,
  isOneWay,
  type Measurement,
  measure,
  type Recording,
} from '../../src/core/contracts/index.js';
import { makePlugin } from '../../src/core/plugin/registry.js';

/** A file of test/fixtures, as text. */
export function fixture(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)), 'utf8');
}

const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');

/** What a format makes of a text; its plugin must have been imported. */
export function readAs(format: string, text: string): Recording {
  const recording = makePlugin('format', { use: format }, 'test', new Container()).read(linesOf(text), 'trace');
  if (isOneWay(recording)) throw new Error('one-way packets');
  return recording;
}

export function recognises(format: string, text: string): boolean {
  return makePlugin('format', { use: format }, 'test', new Container()).recognises(linesOf(text));
}

export function exchangesOf({ events }: Recording): readonly Exchange[] {
  return events.flatMap(({ event }) => (event.type === 'exchange' ? [event.exchange] : []));
}

export function failuresOf({ events }: Recording): readonly ExchangeFailure[] {
  return events.flatMap(({ event }) => (event.type === 'failure' ? [event.failure] : []));
}

export function measurementsOf(recording: Recording): readonly Measurement[] {
  return exchangesOf(recording).map(exchange => measure(exchange, 'counter'));
}

/** What a plugin's author imports. */
import 'reflect-metadata';

export { inject } from 'inversify';
export { z } from 'zod';
export * from './client.js';
export * from './core/contracts/index.js';
export { InputError } from './core/errors.js';
export { combined } from './core/pipeline/combined.js';
export { DriftMemory } from './core/pipeline/drift-memory.js';
export { firstEstimate, maxErrorRate, propagate } from './core/pipeline/estimates.js';
export { bareTime, normalQuantile, timeWith } from './core/pipeline/telling.js';
export { choice } from './core/plugin/choice.js';
export { type PluginChoice, PluginOptions, plugin } from './core/plugin/registry.js';
export * from './core/plugin/tokens.js';
export { duration, formatTime, probability, ratio, time } from './core/quantity.js';

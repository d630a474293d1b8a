/** What the benchmarks in bench/ use of the built command. */
export { openScenario } from './cli/scenario-files.js';
export { runScenario } from './core/experiment/run.js';

/** What the benchmarks in bench/ and the plots in docs/ use of the built command. */

export { CONTAMINATIONS, draw, FAMILIES as DRAWN } from './cli/dataset-draws.js';
export { namedPipelines } from './cli/pipelines.js';
export { openTrace } from './cli/recordings.js';
export { openScenario, parseScenario } from './cli/scenario-files.js';
export { EnsembleEstimator, IDEAS } from './core/estimation/ensemble-estimator.js';
export { offsetAfter, varianceAfter } from './core/estimation/observation.js';
export { compareSeries } from './core/experiment/comparison.js';
export { sourcesOf } from './core/experiment/load-scenario.js';
export { runScenario } from './core/experiment/run.js';
export { stability } from './core/metrics/stability/index.js';
export { Association, requestPacket } from './core/ntp/association.js';
export { extensionField, joined, readExtensions } from './core/ntp/extension.js';
export { authenticate, NtsCredentials } from './core/ntp/nts.js';
export { decodePacket, encodePacket, fromTimestamp } from './core/ntp/packet.js';
export { RateLimiter } from './core/ntp/rate-limit.js';
export { respond } from './core/ntp/responder.js';
export { SymmetricKeyCredentials, withMac } from './core/ntp/symmetric-key.js';
export { timeWith } from './core/pipeline/telling.js';
export { formatTime } from './core/quantity.js';
export { randomStream } from './core/world/random.js';
export { RealtimeScheduler } from './core/world/realtime-scheduler.js';
export { LinuxSockets } from './platform/linux-socket.js';
export { SharedRecord } from './platform/shared-record.js';
export { SystemClock } from './plugins/clocks/system.js';
export { UdpNetwork } from './plugins/networks/udp.js';
export { NtpServer } from './plugins/sinks/ntp-server.js';

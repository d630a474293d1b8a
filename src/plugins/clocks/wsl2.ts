import { inject } from 'inversify';
import { z } from 'zod';
import type { HostSync } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { duration, time } from '../../core/quantity.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = z.strictObject({
  ...presetOptions({
    frequencyError: '-23 ppm',
    granularity: '100 ns',
    latency: '50 ns',
    latencyJitter: '1 us',
    parts: [
      { use: 'flicker-fm', adev: 1e-10 },
      { use: 'random-walk-fm', adev: 1e-10 },
      {
        use: 'temperature',
        base: 40,
        ambient: [{ shape: 'daily', amplitude: 3 }],
        load: { heating: 15, busy: '5 min', idle: '20 min', lag: '3 min' },
        reference: 27,
        linear: '-0.05 ppm',
        cubic: 1e-10,
      },
    ],
  }).shape,
  every: duration('From one look of the host at the guest’s wall clock to the next.').prefault('5 min'),
  threshold: time('The host steps the wall clock when it is off by more than this.', { min: 0 }).prefault('100 ms'),
  hostError: time('Standard deviation of the host’s own time when it does.', { min: 0 }).prefault('10 ms'),
});

/**
 * A guest like WSL2's: the wall clock drifts and the host sets it right from time to time, by a step; the counter does not
 * notice. Users saw about 2 s a day of drift (23 ppm; issue 7255 of microsoft/WSL) and sudden corrections (issues 4179, 5324
 * and 10006). How often the host looks, its threshold and its own error are not documented: our choice. Hyper-V's
 * reference counter counts 100 ns. What sleep does to such a guest is the fault `suspend`'s to say.
 */
@plugin({
  kind: 'clock',
  name: 'wsl2',
  summary: 'Guest whose host steps the wall clock right from time to time, as WSL2’s does',
  options: Options,
})
export class Wsl2 extends OscillatorModel {
  readonly hostSync: HostSync;

  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
    const stream = streams('host');
    const { every, threshold, hostError } = options;
    this.hostSync = {
      every,
      correction: wallError => {
        const host = hostError * stream.normal();
        return Math.abs(wallError - host) > threshold ? host - wallError : 0;
      },
    };
  }
}

import { inject } from 'inversify';
import type { z } from 'zod';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory, Streams } from '../../core/plugin/tokens.js';
import { makeParts, OscillatorModel, presetOptions } from '../../core/world/oscillator-model.js';

const Options = presetOptions({
  frequencyError: '-12 ppm',
  granularity: '1 ns',
  latency: '60 ns',
  latencyJitter: '2 us',
  parts: [
    { use: 'flicker-fm', adev: 5e-11 },
    { use: 'random-walk-fm', adev: 5e-11 },
    { use: 'ageing', perDay: 3e-9 },
    {
      use: 'temperature',
      base: 40,
      ambient: [
        { shape: 'sinusoid', amplitude: 0.5, period: '20 min' },
        { shape: 'daily', amplitude: 1 },
      ],
      load: { heating: 6, busy: '10 min', idle: '15 min', lag: '5 min' },
      reference: 27,
      linear: '-0.05 ppm',
      cubic: 1e-10,
    },
  ],
});

/**
 * A guest whose clock source is the host's counter (kvm-clock, the Hyper-V reference page, a scaled TSC): the crystal is the
 * server's, with the load of other guests; readings take longer, and now and then the guest is not run between asking and
 * reading. Latencies are our choice, as wide as the scatter that guests of shared machines show; suspends, stolen time
 * and moves to another host are faults of their own.
 */
@plugin({
  kind: 'clock',
  name: 'vm-guest',
  summary: 'Clock of a virtual machine: a server’s crystal, read through the hypervisor',
  options: Options,
})
export class VmGuest extends OscillatorModel {
  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    super(options, makeParts(options.parts, make), streams('noise'));
  }
}

// A plugin for bench/soak.js: this machine's clock, whose wall clock SIGUSR2 steps by ten seconds and, the next time,
// back. The machine's own is left alone.
import { inject, PluginFactory, plugin, z } from 'escapement';

const STEP = 10;

class SteppableClock {
  world = 'real';
  #step = 0;

  constructor(make) {
    this.inner = make('clock', { use: 'system' });
    process.on('SIGUSR2', () => {
      this.#step = this.#step === 0 ? STEP : 0;
    });
  }

  get epoch() {
    return this.inner.epoch;
  }

  get description() {
    return `${this.inner.description}, the wall clock steppable by SIGUSR2`;
  }

  read() {
    const { wall, counter } = this.inner.read();
    return { wall: wall + this.#step, counter };
  }

  slept() {
    return this.inner.slept();
  }
}

// What decorators do in TypeScript.
inject(PluginFactory)(SteppableClock, undefined, 0);
plugin({
  kind: 'clock',
  name: 'steppable',
  summary: 'The machine’s clock, whose wall clock SIGUSR2 steps',
  options: z.strictObject({}),
})(SteppableClock);

import { z } from 'zod';
import type { Fault, FaultTarget } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** A guest whose host does not run it: nothing happens while the fault lasts, neither clock notices, packets wait. */
@plugin({
  kind: 'fault',
  name: 'vm-pause',
  summary: 'A guest that its host does not run for a while',
  options: Options,
})
export class VmPause implements Fault {
  inject({ clock }: FaultTarget): () => void {
    return clock.pause('freeze');
  }
}

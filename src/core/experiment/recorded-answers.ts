import type { ClockReading, CorrectedTime, RecordedAnswer } from '../contracts/index.js';
import { bareTime, normalQuantile } from '../pipeline/telling.js';

/** Another program's answers in a recording, told as a pipeline would: the last one that it had given by then, held. */
export class RecordedAnswers {
  private position = -1;

  constructor(
    readonly name: string,
    private readonly level: number,
    /** In order of time. */
    private readonly answers: readonly RecordedAnswer[],
  ) {}

  /** Readings come in order of the wall clock, but for steps of it. */
  tell(reading: ClockReading): CorrectedTime {
    const { answers, level } = this;
    while (this.position + 1 < answers.length && answers[this.position + 1]!.at <= reading.wall) this.position++;
    const answer = answers[this.position];
    if (answer === undefined) return bareTime(reading, level);
    const { offset, uncertainty } = answer;
    return {
      time: reading.wall + offset,
      offset,
      axis: 'wall',
      uncertainty: uncertainty === undefined ? undefined : normalQuantile(level) * uncertainty,
      level,
      maxError: undefined,
      by: this.name,
    };
  }
}

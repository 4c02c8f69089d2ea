/**
 * What can be said about speed from a series of byte counts: the rate, whether it stalls, the
 * time that is left, and the last minute's rates for the plot.
 */

/** What a meter shows; redrawn at most once a second. */
export interface IReading {
  /** Bytes a second, as the server measured it (mean of 5 s). */
  rate: number;
  /** No bytes for 5 s. */
  stalled: boolean;
  /** Seconds left; null while it can't be told. */
  left: number | null;
  /** The rate varied by over 30 % in the last minute. */
  unsteady: boolean;
}

interface ISample {
  time: number;
  received: number;
}

const WINDOW = 20;
const WARM_UP = 5;
const MINUTE = 60;

export class Meter {
  /**
   * Take notice of a byte count.
   *
   * @param time - seconds on a clock that never goes back
   */
  observe(time: number, received: number, total: number | null, rate: number): void {
    const last = this._samples[this._samples.length - 1];
    if (last && received < last.received) {
      this.reset();
    }
    if (this._samples.length === 0) {
      this._started = time;
    }
    if (!last || received > last.received) {
      this._moved = time;
    }
    this._total = total;
    this._rate = rate;
    this._samples.push({ time, received });
    while (this._samples.length > 2 && this._samples[1].time <= time - WINDOW) {
      this._samples.shift();
    }
  }

  /** Forget everything: the transfer rests, or starts over. */
  reset(): void {
    this._samples = [];
    this._history = [];
    this._shown = null;
    this._larger = null;
    this._reading = null;
  }

  /** What to show at `time`; the same reading for a whole second. */
  read(time: number): IReading {
    if (this._reading && time - this._readAt < 1) {
      return this._reading;
    }
    this._history.push({ time, received: this._rate });
    while (this._history[0].time < time - MINUTE) {
      this._history.shift();
    }
    const left = this._steady(time, this._estimate(time));
    this._readAt = time;
    this._reading = {
      rate: this._rate,
      stalled: this._samples.length > 0 && time - this._moved >= 5,
      left,
      unsteady: this._unsteady()
    };
    return this._reading;
  }

  /** One rate a second, oldest first, at most a minute's. */
  get history(): number[] {
    return this._history.map(sample => sample.received);
  }

  /** Seconds left by the mean of the last 20 s; null before 5 s of bytes. */
  private _estimate(time: number): number | null {
    const first = this._samples[0];
    const last = this._samples[this._samples.length - 1];
    if (!first || this._total === null) {
      return null;
    }
    const span = last.time - first.time;
    const mean = (last.received - first.received) / Math.max(span, time - first.time);
    if (span < WARM_UP || mean <= 0) {
      return null;
    }
    return Math.max(0, this._total - last.received) / mean;
  }

  /** Falls at once, rises only when it is 25 % larger for 5 s; counts down in between. */
  private _steady(time: number, estimate: number | null): number | null {
    if (estimate === null) {
      this._shown = null;
      return null;
    }
    const running = this._shown === null ? null : Math.max(0, this._shown - (time - this._readAt));
    if (running === null || estimate <= running) {
      this._larger = null;
      this._shown = estimate;
    } else if (estimate > running * 1.25) {
      this._larger ??= time;
      if (time - this._larger >= 5) {
        this._larger = null;
        this._shown = estimate;
      } else {
        this._shown = running;
      }
    } else {
      this._larger = null;
      this._shown = running;
    }
    return this._shown;
  }

  private _unsteady(): boolean {
    // The server's rate is a mean of some seconds: until then it climbs, however steady it is.
    const settled = this._started + WARM_UP;
    const rates = this._history
      .filter(sample => sample.time >= settled && sample.received > 0)
      .map(sample => sample.received);
    if (rates.length < 2) {
      return false;
    }
    const mean = rates.reduce((sum, value) => sum + value, 0) / rates.length;
    return Math.max(...rates) - Math.min(...rates) > 0.3 * mean;
  }

  private _samples: ISample[] = [];
  private _history: ISample[] = [];
  private _total: number | null = null;
  private _rate = 0;
  private _started = 0;
  private _moved = 0;
  private _shown: number | null = null;
  private _larger: number | null = null;
  private _reading: IReading | null = null;
  private _readAt = 0;
}

/**
 * Numbers and durations as people read them: decimal units, non-breaking spaces, few digits.
 *
 * Nothing in here knows of a language: words come from `words.ts`.
 */

/** Between a number and its unit. */
export const NBSP = '\u00a0';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

interface IScale {
  divisor: number;
  unit: string;
  /** B and kB are shown whole. */
  whole: boolean;
}

/** The unit in which `value` is shown; 999 960 bytes are 1.0 MB, not 1000 kB. */
function scaleOf(value: number): IScale {
  let index = 0;
  let divisor = 1;
  while (index < UNITS.length - 1 && Number(digits(value / divisor, index < 2)) >= 1000) {
    index += 1;
    divisor *= 1000;
  }
  return { divisor, unit: UNITS[index], whole: index < 2 };
}

/** One decimal under 100, none from 100 on. */
function digits(value: number, whole: boolean): string {
  return whole || Math.round(value * 10) >= 1000 ? value.toFixed(0) : value.toFixed(1);
}

/** `12.4 GB`. */
export function bytes(value: number): string {
  const { divisor, unit, whole } = scaleOf(value);
  return `${digits(value / divisor, whole)}${NBSP}${unit}`;
}

/**
 * Both numbers of a progress, in the unit of the total: `['3.2', '12.4 GB']`, with a plus
 * (`83.6+ GB`) where the total is only a floor.
 */
export function bytesOf(received: number, total: number, known = true): [string, string] {
  const { divisor, unit, whole } = scaleOf(total);
  const part = digits(received / divisor, whole);
  return [part, `${digits(total / divisor, whole)}${known ? '' : '+'}${NBSP}${unit}`];
}

/** `48 MB/s`, `9.8 MB/s`, `512 kB/s`: whole from ten on. */
export function rate(value: number): string {
  const { divisor, unit, whole } = scaleOf(value);
  const scaled = value / divisor;
  const text = whole || Math.round(scaled * 10) >= 100 ? scaled.toFixed(0) : scaled.toFixed(1);
  return `${text}${NBSP}${unit}/s`;
}

/** A duration, rounded to what a person can use. */
export interface IRoundedDuration {
  unit: 'moment' | 'second' | 'minute' | 'hour' | 'day';
  value: number;
  /** From ten minutes on it is only *about*. */
  about: boolean;
}

/**
 * Under 10 s a moment; under 1 min steps of 10 s; under 10 min whole minutes; under 1 h steps of
 * 5 min; then half hours; then days.
 */
export function roundDuration(seconds: number): IRoundedDuration {
  if (seconds < 10) {
    return { unit: 'moment', value: 0, about: false };
  }
  const tens = Math.round(seconds / 10) * 10;
  if (tens < 60) {
    return { unit: 'second', value: tens, about: false };
  }
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 10) {
    return { unit: 'minute', value: minutes, about: false };
  }
  const fives = Math.max(10, Math.round(seconds / 300) * 5);
  if (fives < 60) {
    return { unit: 'minute', value: fives, about: true };
  }
  const halves = Math.max(1, Math.round(seconds / 1800) / 2);
  if (halves < 24) {
    return { unit: 'hour', value: halves, about: true };
  }
  return { unit: 'day', value: Math.max(1, Math.round(seconds / 86400)), about: true };
}

/** `0:42`, `12:07`, `1:02:07`. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  const pad = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(left / 60);
  const tail = pad(left % 60);
  return minutes < 60
    ? `${minutes}:${tail}`
    : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${tail}`;
}

/** `14:02` in the viewer's zone. */
export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit'
  });
}

/** `3 Dec` in the viewer's zone. */
export function day(seconds: number): string {
  return new Date(seconds * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
}

/** Days from `now` to `then` in the viewer's calendar: 0 today, 1 tomorrow, −1 yesterday. */
export function daysAhead(then: number, now: number): number {
  const midnight = (seconds: number) => new Date(seconds * 1000).setHours(0, 0, 0, 0);
  return Math.round((midnight(then) - midnight(now)) / 86_400_000);
}

/** The next full five minutes. */
export function ceilToFiveMinutes(seconds: number): number {
  return Math.ceil(seconds / 300) * 300;
}

/** How many characters of a name are kept when it gives way in the middle. */
const TAIL = 11;

/** Characters that reorder those around them: `gnp.exe` could pose as `exe.png`. */
const REORDERING = /[\u202a-\u202e\u2066-\u2069]/g;

const RIGHT_TO_LEFT =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** A name as it is shown: what would disguise it is a replacement character. */
export function shownName(name: string): string {
  return name.replace(REORDERING, '\ufffd');
}

/**
 * A name in two parts, of which only the first gives way. Cut between characters, never within
 * one (a surrogate pair, a combining mark, a joined emoji), and not at all where letters run from
 * right to left: two parts would be read in the wrong order.
 */
export function splitName(name: string): [string, string] {
  if (RIGHT_TO_LEFT.test(name)) {
    return [name, ''];
  }
  const characters = Array.from(new Intl.Segmenter().segment(name), part => part.segment);
  if (characters.length <= TAIL + 2) {
    return [name, ''];
  }
  return [characters.slice(0, -TAIL).join(''), characters.slice(-TAIL).join('')];
}

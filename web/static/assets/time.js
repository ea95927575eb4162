// Times as the reader has them: in the language of the page, with 12 or 24 hours.

import { language } from './strings.js';
import { get } from './kept.js';

let clockFormat, dayFormat, fullFormat;

// reformat heeds the settings anew.
export function reformat() {
  const hours = get('hours');
  const cycle = hours === '12' ? { hour12: true } : hours === '24' ? { hourCycle: 'h23' } : {};
  // A language alone says little of hours: who reads English in Europe has 24 of them.
  const locale = navigator.language?.startsWith(language()) ? navigator.language : language();
  clockFormat = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', ...cycle });
  dayFormat = new Intl.DateTimeFormat(locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
  fullFormat = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', ...cycle });
  cache.clear();
}

const cache = new Map(); // days by their date; formatting is slow, and thousands of messages are of few days

export const clock = (date) => clockFormat.format(date);
export const full = (date) => fullFormat.format(date);

export function day(date) {
  const key = date.toDateString();
  if (!cache.has(key)) cache.set(key, isNaN(date) ? '' : dayFormat.format(date));
  return cache.get(key);
}

// when is a time for a list: the clock today, else the date.
export const when = (date) => date.toDateString() === new Date().toDateString() ? clock(date) : date.toLocaleDateString(language(), { day: 'numeric', month: 'short' });

reformat();

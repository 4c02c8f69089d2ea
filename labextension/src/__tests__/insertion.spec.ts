import { literal, nearest } from '../insertion';

const nearTo = (folder: string) => (path: string) => nearest(path, '/home/me', folder);

test('what lies below the notebook is written relative to it', () => {
  expect(nearTo('work')('/home/me/work/data/a.nc')).toBe('data/a.nc');
  expect(nearTo('')('/home/me/data/a.nc')).toBe('data/a.nc');
});

test('what lies elsewhere is written whole', () => {
  expect(nearTo('work')('/home/me/data/a.nc')).toBe('/home/me/data/a.nc');
  expect(nearTo('work')('/home/me/workshop/a.nc')).toBe('/home/me/workshop/a.nc');
  expect(nearTo('')('/scratch/a.nc')).toBe('/scratch/a.nc');
  expect(nearest('/home/me/a.nc', null, '')).toBe('/home/me/a.nc');
});

test('an odd name stays one piece of text', () => {
  expect(literal('a"b\\c\n\u{1f600}.nc')).toBe('"a\\"b\\\\c\\n\u{1f600}.nc"');
});

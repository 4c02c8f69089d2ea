import { contentsPath } from '../paths';

test('a path is compared by components, not by prefix', () => {
  expect(contentsPath('/home/me/data/a.nc', '/home/me')).toBe('data/a.nc');
  expect(contentsPath('/home/me/data/a.nc', '/home/me/')).toBe('data/a.nc');
  expect(contentsPath('/home/me-secret/a.nc', '/home/me')).toBeNull();
  expect(contentsPath('/home/me', '/home/me')).toBeNull();
  expect(contentsPath('/data/a.nc', '/')).toBe('data/a.nc');
});

test('what the file browser hides can not be revealed there', () => {
  expect(contentsPath('/home/me/.bgdl/a.nc', '/home/me')).toBeNull();
  expect(contentsPath('/home/me/../you/a.nc', '/home/me')).toBeNull();
  expect(contentsPath('a.nc', '/home/me')).toBeNull();
});

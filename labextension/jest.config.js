/** The tests run in jsdom on the TypeScript sources; nothing of JupyterLab is loaded. */
module.exports = {
  testEnvironment: 'jsdom',
  testMatch: ['<rootDir>/src/__tests__/*.spec.ts', '<rootDir>/src/__tests__/*.spec.tsx'],
  transform: {
    '^.+\\.tsx?$': [
      'ts-jest',
      {
        tsconfig: {
          module: 'commonjs',
          isolatedModules: true,
          jsx: 'react',
          esModuleInterop: true,
          target: 'ES2022',
          types: ['jest']
        }
      }
    ]
  },
  testTimeout: 10000
};

import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["build/", "coverage/", "dist/", "examples/electron/main.ts", "models/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: ["./tsconfig.json", "./tsconfig.page.json", "./examples/electron/page/tsconfig.json"] },
    },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/consistent-type-definitions": "off",
      // An index that was just checked is plainer with `!` than with a branch that cannot happen.
      "@typescript-eslint/no-non-null-assertion": "off",
      // Methods of an interface are async for the one implementation that waits.
      "@typescript-eslint/require-await": "off",
    },
  },
);

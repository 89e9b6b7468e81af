-- Suggested prompts come from the manifest only.
DROP TABLE prompted;
DROP FUNCTION suggest_erased();

-- Which of a provider's credentials an attempt was made with: its name in the settings, empty where it has none.
ALTER TABLE entries ADD COLUMN credential TEXT NOT NULL DEFAULT '';

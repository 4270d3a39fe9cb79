"""Google's Gemini API: generateContent, countTokens, embedContent, as callers use it and as providers have it."""

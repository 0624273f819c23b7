"""deleted citations and pairs -> a better reranker: pairs, examples, late_interaction, blend."""

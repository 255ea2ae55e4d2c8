"""Is it like the real data?"""

"""Is it useful?"""

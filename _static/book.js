// Excerpts of found pages are fetched, which a browser refuses for a site opened from disk.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

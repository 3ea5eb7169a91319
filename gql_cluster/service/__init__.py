"""One async function a use case: open, edit, read, watch, commit, discard."""

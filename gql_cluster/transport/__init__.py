"""How clients reach the engine: HTTP through Django, WebSocket through channels."""

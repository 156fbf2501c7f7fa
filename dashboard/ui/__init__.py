"""Components that pages share: charts, text, downloads, uploads, photographs."""

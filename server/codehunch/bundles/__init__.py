"""What a model is on disk: the manifest, its checks, and the folder of installed bundles."""

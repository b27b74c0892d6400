"""Views to 3D Gaussians: the fit stage, its rasterizers, metrics and file formats."""

"""Picture files as inputs of models: decoded here, or by the model itself."""

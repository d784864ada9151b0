"""What a model file may do: nothing but compute, unless model.toml trusts exactly this file."""

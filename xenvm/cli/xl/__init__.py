"""``xenvm xl``, and a link named xl: xl's names, options, columns, exit codes and messages over our own commands."""

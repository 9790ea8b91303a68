"""Field extraction (bóc tách dữ liệu): proposals with box and confidence."""

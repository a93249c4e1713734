"""What keeps one test from seeing another, as far as kinds share it; the rest is in kinds/KIND/isolation."""

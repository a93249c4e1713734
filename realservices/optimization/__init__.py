"""How many services' shares there are at once and ready ahead: levels, limits, pools, measurements, adaptation."""

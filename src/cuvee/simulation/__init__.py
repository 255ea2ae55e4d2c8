"""Monte Carlo simulation: scenarios of distributions, dependence, formulas, shocks and time; risk with its error."""

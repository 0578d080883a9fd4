/**
 * Seconds for which a new instance may fail the load balancer's checks before Auto Scaling calls it
 * unhealthy.
 */
export const graceSeconds = 300;

/**
 * Seconds that a replacement has to serve before the next old instance goes. Within the grace period
 * Auto Scaling counts a sick instance as a healthy one, so a shorter warm-up would take the old ones away
 * before the new ones have shown themselves. Source: "Set the health check grace period for an Auto
 * Scaling group" and RefreshPreferences in the Auto Scaling documentation.
 */
export const replacementWarmupSeconds = graceSeconds + 30;

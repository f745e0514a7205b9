//! The words of generated names. Some contain characters that have a meaning in JSON or
//! URLs, or that are not ASCII.

/// Categories. The run's id is added to their names.
pub const CATEGORIES: [&str; 24] = [
    "Tea", "Coffee", "Kitchen", "CDs/LPs", "Öl&Salz", "50% Wool", "Garden?", "Toys #1", "茶具",
    "Men's", "Bikes", "Sun+Rain", "Paper", "Music", "Games", "Tools", "Baking", "Outdoor", "Pets",
    "Office", "Nut; Fig", "Bath", "Fabric", "Œuvres",
];

/// The first words of product names.
pub const QUALITIES: [&str; 12] = [
    "Plain", "Royal", "Small", "Große", "Blue", "Crème", "Old", "\"Real\"", "Folding", "Silent",
    "50%", "Up\\Down",
];

/// The second words of product names.
pub const THINGS: [&str; 16] = [
    "pot", "cup", "lamp", "chair", "brush", "bell", "box", "kettle", "clock", "scarf", "basket",
    "mirror", "piñata", "knife", "pan", "globe",
];

/// Users' first names.
pub const FIRST_NAMES: [&str; 16] = [
    "Ada", "Zoë", "Jürgen", "Søren", "Mei", "Łukasz", "Ana", "Omar", "Nina", "Ivan", "Chloé",
    "Bao", "Ida", "Raj", "Eve", "Tomás",
];

/// Users' last names.
pub const LAST_NAMES: [&str; 16] = [
    "Lind", "O'Neill", "Müller", "García", "Kim", "Nowak", "Silva", "Haddad", "Okafor", "Petrov",
    "Dubois", "Nguyễn", "Berg", "Singh", "Ray-Cole", "Rossi",
];
